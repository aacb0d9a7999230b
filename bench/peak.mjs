// Imported before a program: at its end writes the most memory that it ever had, in kB, to file descriptor 3.
import fs from 'node:fs'

/** VmHWM begins anew with the program; getrusage's maximum can be that of the process that started it. */
function peak() {
  try {
    return /VmHWM:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]
  } catch {
    return String(process.resourceUsage().maxRSS)
  }
}

process.once('exit', () => fs.writeSync(3, peak()))
