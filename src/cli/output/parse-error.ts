/** Rewrites the errors of oclif's parser in our words, in one line each; a place in an expression is shown below it. */
export function parseMessage(message: string): string {
  const lines = message.split('\n').map((line) => line.trim())
  const [what = '', ...details] = lines.filter((line) => line !== '' && line !== seeHelp && !aboutOrder.test(line))
  if (details.length === 0) return inOurWords(what)
  if (reasonsFollow.test(what)) return [...new Set(details.map((detail) => inOurWords(detail)))].join('; ')
  if (missingArguments.test(what)) return details.map(missingArgument).join('; ')
  const flag = parsing.exec(what)?.[1]
  if (flag !== undefined && details.at(-1) === '^')
    return message.slice(message.indexOf(details[0] ?? '')).replace(`\n${seeHelp}`, '')
  return flag === undefined
    ? `${what.replace(/:$/, '')}: ${details.join('; ')}`
    : details.map((detail) => inOurWords(detail, flag)).join('; ')
}

const seeHelp = 'See more help with --help'
/** oclif's words on flags that swallow arguments; ours do not. */
const aboutOrder = /^(?:Note: --|Alternatively, you can use "--")/
/** Before what a flag's own parser throws, which names the flag itself. */
const parsing = /^Parsing (--\S+)$/
/** Before what is wrong with flags by each other. */
const reasonsFollow = /^The following errors? occurred:$/
/** Before a line for each: its name, and what it is. */
const missingArguments = /^Missing \d+ required args?:$/

function missingArgument(line: string): string {
  const [name = '', ...what] = line.split(/ {2,}/)
  return what.length === 0 ? `${name} is missing` : `${name} is missing: ${what.join(' ')}`
}

/** By what oclif says; `flag` is the one whose value is read. */
const sentences: readonly [RegExp, (found: readonly string[], flag: string) => string][] = [
  [/^Missing required flag (\S+)$/, ([name]) => `--${name} is missing`],
  [
    /^All of the following must be provided when using (--\S+): (.*)$/,
    ([flag, needed]) => `${flag} needs ${needed} too`,
  ],
  [
    /^(--[^\s=]+)=.* cannot also be provided when using (--\S+)$/s,
    (flags) => `${[...flags].sort().join(' and ')} do not go together`,
  ],
  [/^Nonexistent flags?: (.*)$/s, ([flags]) => `there is no flag ${flags}`],
  [
    /^Unexpected arguments?: (.*)$/s,
    ([words]) => `${words?.includes(', ') === true ? 'unexpected arguments' : 'unexpected argument'}: ${words}`,
  ],
  [/^Flag (--\S+) expects a value$/, ([flag]) => `${flag} needs a value`],
  [/^Flag (--\S+) expects one of these values: (.*)$/, ([flag, options]) => `${flag} needs a value: ${oneOf(options)}`],
  [/^Flag (--\S+) can only be specified once$/, ([flag]) => `${flag} is given twice, and takes one value`],
  [
    /^Expected (--[^\s=]+)=(.*) to be one of: (.*)$/s,
    ([flag, value, options]) => `${flag} takes ${oneOf(options)}, not ${value}`,
  ],
  [/^Expected (.*) to be one of: (.*)$/s, ([value, options]) => `${value} is not ${oneOf(options)}`],
  [/^Expected an integer but received: (.*)$/s, ([value], flag) => `${flag} takes a whole number, not ${value}`],
  [
    /^Expected an integer greater than or equal to (\S+) but received: (.*)$/s,
    ([least, value], flag) => `${flag} takes a whole number from ${least} up, not ${value}`,
  ],
  [
    /^Expected an integer less than or equal to (\S+) but received: (.*)$/s,
    ([most, value], flag) => `${flag} takes a whole number up to ${most}, not ${value}`,
  ],
]

function inOurWords(text: string, flag = ''): string {
  for (const [pattern, say] of sentences) {
    const found = pattern.exec(text)
    if (found !== null) return say(found.slice(1), flag)
  }
  return text
}

/** `a, b or c`. */
function oneOf(options = ''): string {
  return options.replace(/, (?!.*, )/, ' or ')
}
