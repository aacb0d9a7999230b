/** The script of a report's page: puts the page together from its block of data. */
import { formatSize, plural } from '../units.js'
import type { ReportData } from '../report/data.js'
import { ChartSection } from './chart.js'
import { CheckpointsSection } from './checkpoints.js'
import { element } from './dom.js'
import { followNews, isLive } from './live.js'
import { readData } from './read-data.js'
import { RunsSection } from './runs.js'
import { healthSection, journalSection, policySection, settingsSection, sizesSection } from './sections.js'
import { themeSwitch } from './theme.js'
import { shownTime } from './values.js'

const data = readData(document.getElementById('data')?.textContent ?? '')
const chart = new ChartSection(data)
const checkpoints = new CheckpointsSection(data)
const summary = element('p', {}, summaryOf(data))
const warnings = element('div')
const runs = new RunsSection(data)
const below = element('div')
const links = element('ul')

/** More of them would hide the rest. */
const fewWarnings = 3

function summaryOf({ runs, made, version }: ReportData): string {
  const count = runs.reduce((sum, run) => sum + run.checkpoints.length, 0)
  const bytes = runs.reduce((sum, { size }) => sum + size, 0)
  return `${plural(runs.length, 'run')}, ${plural(count, 'checkpoint')}, ${formatSize(bytes)}. Made ${shownTime(made)} by ckpt ${version}.`
}

/** The parts that hold no choice of the reader's, anew. */
function drawRest(now: ReportData): void {
  summary.textContent = summaryOf(now)
  const texts = [...now.warnings, ...now.runs.flatMap((run) => run.warnings.map((text) => `${run.label}: ${text}`))]
  const lines = texts.map((text) => element('p', { class: 'warning' }, text))
  const isLong = lines.length > fewWarnings
  warnings.replaceChildren(
    ...(isLong ? [element('details', {}, element('summary', {}, plural(lines.length, 'warning')), ...lines)] : lines),
  )
  runs.root.hidden = now.runs.length < 2
  const parts = [policySection(now), healthSection(now), sizesSection(now), settingsSection(now), journalSection(now)]
  below.replaceChildren(...parts.filter((part) => part !== null))
  const sections = [...document.querySelectorAll('section:not([hidden])')]
  links.replaceChildren(
    ...sections.map(({ id, firstElementChild }) =>
      element('li', {}, element('a', { href: `#${id}` }, firstElementChild?.textContent ?? id)),
    ),
  )
}

const [only] = data.runs
const title = data.runs.length === 1 && only !== undefined ? only.label : data.root
const state = element('p', { role: 'status' })
const header = element(
  'header',
  {},
  element('div', {}, element('h1', {}, title), summary, ...(isLive() ? [state] : [])),
  themeSwitch(() => chart.redraw()),
)
document.body.append(
  header,
  element('nav', { 'aria-label': 'Parts of the report' }, links),
  element('main', {}, warnings, runs.root, chart.root, checkpoints.root, below),
)
drawRest(data)
chart.redraw()

if (isLive()) {
  followNews(
    (now) => {
      runs.update(now)
      chart.update(now)
      checkpoints.update(now)
      drawRest(now)
    },
    (text) => {
      state.textContent = text
    },
  )
}
