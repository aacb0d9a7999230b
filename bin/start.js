'use strict'
/* From the arguments to an answer: what bin/run.js and the one-file executable (scripts/binary) have in common. */
const { helpPage, quickAnswer } = require('./quick.js')

/** A reader that went away is not a mistake; a full disk behind a redirection is. */
function tellBrokenOutput() {
  process.stdout.on('error', (error) => {
    if (error.code === 'EPIPE') return
    process.exitCode = 1
    process.stderr.write(`error: the output could not be written: ${error.message}\n`)
  })
}

function print(text) {
  tellBrokenOutput()
  process.stdout.write(text)
}

/** Only what has been run is compiled. With these exit statuses all was: it went well, found damage, or did a part. */
const toTheEnd = new Set([0, 4, 6])

/**
 * `readPages` and `readSpec` give dist/help.json and dist/completion.json; `loadProgram` the exports of dist/cli.cjs for
 * a command, `build`, the name of its contents where it has one, and `keep`, which keeps its compiled code for the next start.
 */
exports.start = async function start({ args, root, version, readPages, readSpec, loadProgram }) {
  const answer = quickAnswer(args, version, readPages)
  if (answer !== undefined) return print(answer)
  const { main, build, keep } = loadProgram(args[0] ?? 'here')
  if (!(await main(args, { root, version, build, readSpec }))) {
    return print(helpPage(args, version, readPages) ?? helpPage([], version, readPages))
  }
  if (toTheEnd.has(process.exitCode ?? 0)) keep()
  process.exit()
}
