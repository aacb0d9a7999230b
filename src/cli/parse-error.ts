/** What oclif's parser says of a mistake, in one line: its own hint and its prefix left out. */
export function parseMessage(message: string): string {
  const lines = message.split('\n').map((line) => line.trim())
  const [what = '', ...details] = lines.filter((line) => line !== '' && line !== seeHelp && !aboutOrder.test(line))
  if (details.length === 0) return what
  if (reasonsFollow.test(what)) return [...new Set(details.map(reasonOf))].join('; ')
  return parsing.test(what) ? details.join('; ') : `${what.replace(/:$/, '')}: ${details.join('; ')}`
}

const seeHelp = 'See more help with --help'
/** oclif's words on flags that swallow arguments; ours do not. */
const aboutOrder = /^(?:Note: --|Alternatively, you can use "--")/
/** Before what a flag's own parser throws, which names the flag itself. */
const parsing = /^Parsing --\S+$/
/** Before what is wrong with flags by each other. */
const reasonsFollow = /^The following errors? occurred:$/

/** In our words: oclif tells two flags that exclude each other from both sides, and each with its value. */
function reasonOf(reason: string): string {
  const [, missing] = /^Missing required flag (\S+)$/.exec(reason) ?? []
  if (missing !== undefined) return `--${missing} is missing`
  const [, needs, needed] = /^All of the following must be provided when using (--\S+): (.*)$/.exec(reason) ?? []
  if (needs !== undefined) return `${needs} needs ${needed ?? ''} too`
  const [, one, other] = /^(--[^\s=]+)=.* cannot also be provided when using (--\S+)$/s.exec(reason) ?? []
  if (one === undefined || other === undefined) return reason
  return `${[one, other].sort().join(' and ')} do not go together`
}
