'use strict'
/*
 * What is answered without loading the program: --version, and help, which the build has drawn for several widths
 * (scripts/help.mjs). Used by bin/run.js and by the one-file executable.
 */

const versionFlags = new Set(['--version', '-V'])
const helpFlags = new Set(['--help', '-h'])
const shortNames = { ls: 'list' }
/** Words before the name of a command that are none themselves. */
const topics = new Set(['trash'])

/** As `ckpt --version` prints it. */
function versionLine(version) {
  const runtime = process.versions.bun === undefined ? `node-${process.version}` : `bun-v${process.versions.bun}`
  return `ckpt/${version} ${process.platform}-${process.arch} ${runtime}`
}

/** The words that name the page that is asked for; undefined where no help is. */
function pageWords(args) {
  const end = args.indexOf('--')
  const own = end === -1 ? args : args.slice(0, end)
  const words = own.filter((word) => !word.startsWith('-'))
  if (own[0] === 'help') return words.slice(1)
  if (own.some((word) => helpFlags.has(word))) return helpFlags.has(own[0]) ? [] : words
  return undefined
}

/** The name of the page; undefined for words that name no command, which the program tells. */
function pageName([first, second], pages) {
  if (first === undefined) return ''
  const name = Object.hasOwn(shortNames, first) ? shortNames[first] : first
  if (second !== undefined && Object.hasOwn(pages, `${name} ${second}`)) return `${name} ${second}`
  if (second !== undefined && topics.has(name)) return undefined
  return Object.hasOwn(pages, name) && name !== '' ? name : undefined
}

/** The widest page that fits the terminal. */
function fitting(page) {
  const columns = process.stdout.isTTY ? (process.stdout.columns ?? 80) : 80
  const widths = Object.keys(page).map(Number)
  return page[Math.max(...widths.filter((width) => width <= columns), Math.min(...widths))]
}

function isColoured() {
  const { NO_COLOR, FORCE_COLOR } = process.env
  if (NO_COLOR) return false
  return FORCE_COLOR === undefined || FORCE_COLOR === '' ? process.stdout.isTTY === true : FORCE_COLOR !== '0'
}

function withBoldTitles(text) {
  return text.replace(/^[A-Z][A-Z ]+$/gm, '\u001b[1m$&\u001b[0m')
}

/** The text to print; undefined where the program has to answer. `readPages` gives dist/help.json. */
exports.quickAnswer = function quickAnswer(args, version, readPages) {
  if (versionFlags.has(args[0])) return `${versionLine(version)}\n`
  const words = pageWords(args)
  return words === undefined ? undefined : exports.helpPage(words, version, readPages)
}

exports.helpPage = function helpPage(words, version, readPages) {
  const pages = readPages()
  const name = pageName(words, pages)
  if (name === undefined) return undefined
  const text = fitting(pages[name]).replace('@VERSION@', versionLine(version))
  return isColoured() ? withBoldTitles(text) : text
}
