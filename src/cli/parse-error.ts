/** What oclif's parser says of a mistake, in one line: its own hint and its prefix left out. */
export function parseMessage(message: string): string {
  const lines = message.split('\n').map((line) => line.trim())
  const [what = '', ...details] = lines.filter((line) => line !== '' && line !== seeHelp && !aboutOrder.test(line))
  if (details.length === 0) return what
  return parsing.test(what) ? details.join('; ') : `${what.replace(/:$/, '')}: ${details.join('; ')}`
}

const seeHelp = 'See more help with --help'
/** oclif's words on flags that swallow arguments; ours do not. */
const aboutOrder = /^(?:Note: --|Alternatively, you can use "--")/
/** Before what a flag's own parser throws, which names the flag itself. */
const parsing = /^Parsing --\S+$/
