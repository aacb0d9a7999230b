/**
 * What the program prints without being loaded, into `dist`: help.json, the help of each command at several widths, and
 * completion.json, what completion knows of the commands; and ckpt.1, the man page. Drawn by oclif from the commands.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Columns of a terminal. */
const widths = [60, 80, 100]
/** man(1) indents a section by 7 columns, on a terminal of 80. */
const manWidth = 72

export async function writeHelp(root, dist) {
  // Read when oclif is loaded.
  Object.assign(process.env, { NO_COLOR: '1', FORCE_COLOR: '0' })
  const { Config } = await import('@oclif/core')
  const { default: CkptHelp } = await import(join(dist, 'cli', 'command-line', 'help.js'))
  const config = await Config.load(root)
  class Recorder extends CkptHelp {
    text = ''
    log(text = '') {
      this.text += `${text}\n`
    }
  }
  const pageOf = async (words) => {
    const page = {}
    for (const width of [...widths, manWidth]) {
      const help = new Recorder(config, { maxWidth: width, stripAnsi: true })
      if (words.length === 0) await help.showRootHelp()
      else await help.showHelp(words)
      page[width] = wrapFirstLine(tidy(help.text, config), width)
    }
    return page
  }
  const names = config.commands.filter(({ hidden }) => !hidden).map(({ id }) => id.replaceAll(':', ' '))
  const topics = config.topics.map(({ name }) => name).filter((name) => !names.includes(name))
  const pages = { '': await pageOf([]) }
  for (const name of [...names, ...topics].sort()) pages[name] = await pageOf(name.split(' '))
  writeFileSync(
    join(dist, 'help.json'),
    JSON.stringify(pages, (key, value) => (key === String(manWidth) ? undefined : value)),
  )
  writeFileSync(join(dist, 'completion.json'), JSON.stringify(completionSpec(config)))
  writeFileSync(join(dist, 'ckpt.1'), manPage(pages, config.version))
}

/** The version is that of the machine that runs it. */
function tidy(text, { userAgent }) {
  return `${text
    .replaceAll(userAgent, '@VERSION@')
    .replace(/[ \t]+$/gm, '')
    .trim()}\n`
}

/** oclif wraps all but the summary. */
function wrapFirstLine(text, width) {
  const [first = '', ...rest] = text.split('\n')
  const lines = ['']
  for (const word of first.split(' ')) {
    const line = lines.at(-1) === '' ? word : `${lines.at(-1)} ${word}`
    if (line.length <= width) lines[lines.length - 1] = line
    else lines.push(word)
  }
  return [...lines, ...rest].join('\n')
}

function completionSpec({ commands }) {
  const shown = commands.filter(({ hidden }) => !hidden)
  const specs = shown.map(({ id, summary = '', args, flags }) => [
    id.replaceAll(':', ' '),
    {
      summary,
      args: Object.entries(args).map(([key, { multiple = false }]) => ({ name: key, multiple })),
      flags: Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, flagSpec(flag)])),
    },
  ])
  return Object.fromEntries(specs)
}

function flagSpec({ char, type, helpValue, options, multiple, description = '' }) {
  const isText = typeof helpValue === 'string'
  return {
    ...(char === undefined ? {} : { char }),
    takesValue: type === 'option',
    ...(isText ? { helpValue } : {}),
    ...(options === undefined ? {} : { options }),
    ...(multiple ? { repeatable: true } : {}),
    description: description.split('\n')[0],
  }
}

/** In man(7)'s macros: the commands by purpose, then each one's help as it is. */
function manPage(pages, version) {
  const summary = pages[''][manWidth].split('\n\n')[0].replaceAll('\n', ' ')
  const sections = Object.entries(pages).filter(([name]) => name !== '')
  return [
    `.TH CKPT 1 "" "ckpt ${version}" "User Commands"`,
    '.SH NAME',
    `ckpt \\- ${roff(summary.replace(/^A /, 'a '))}`,
    '.SH SYNOPSIS',
    '.B ckpt',
    '[COMMAND] [ARGUMENT...] [FLAG...]',
    '.SH COMMANDS',
    verbatim(pages[''][manWidth].replace(/^[^]*?(?=^LOOK$)/m, '')),
    ...sections.flatMap(([name, page]) => [`.SH ckpt ${name}`, verbatim(page[manWidth])]),
    '.SH SEE ALSO',
    'docs/ in the package, and ckpt COMMAND \\-\\-help.',
    '',
  ].join('\n')
}

function verbatim(text) {
  return `.nf\n${roff(text.trim())}\n.fi`
}

/** Backslashes and hyphens as they are, and no line that begins a request. */
function roff(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}
