/** The command line that starts this same program again. */

/** Where the modules of the one-file executable lie (scripts/build-binary.mjs). */
const insideExecutable = '/$bunfs/'

/** The program and what comes before its arguments. */
export function ownProgram(): string[] {
  const [, script] = process.argv
  return script === undefined || script.startsWith(insideExecutable) ? [process.execPath] : [process.execPath, script]
}
