/** The parts of the page below the checkpoints. */
import { formatAge, formatSize, plural } from '../units.js'
import type { ReportData, RunData } from '../report/data.js'
import { element, section, type Child } from './dom.js'
import { SortableTable, type Column } from './table.js'
import { shownTime, shownValue, sortValueOf } from './values.js'
import { verdictCell } from './verdict.js'

export function sizesSection(data: ReportData): HTMLElement {
  const kinds = ['weights', 'resume', 'both', 'other']
  const total = ({ bytes }: RunData) => kinds.reduce((sum, kind) => sum + (bytes[kind] ?? 0), 0)
  const columns: Column<RunData>[] = [
    { title: 'Run', value: ({ label }) => label },
    ...kinds.map((kind): Column<RunData> => ({
      title: titles.get(kind) ?? kind,
      isNumber: true,
      value: ({ bytes }) => bytes[kind] ?? 0,
      cell: ({ bytes }) => formatSize(bytes[kind] ?? 0),
    })),
    { title: 'Together', isNumber: true, value: total, cell: (run) => formatSize(total(run)) },
  ]
  const table = new SortableTable({ id: 'sizes-table', caption: 'Sizes by kind of file', columns, rows: data.runs })
  const all = data.runs.reduce((sum, run) => sum + total(run), 0)
  const unread = data.runs.flatMap((run) => run.unread.map(({ path, reason }) => `${path}: ${reason}`))
  return section(
    'sizes',
    'Sizes',
    element('p', {}, `${formatSize(all)} in all; a file with several names counts once.`),
    table.root,
    ...unread.map((text) => element('p', { class: 'warning' }, text)),
  )
}

const titles = new Map([
  ['weights', 'Weights'],
  ['resume', 'For resuming'],
  ['both', 'Weights and for resuming'],
  ['other', 'Other'],
])

const depths = {
  none: 'Names, metas and sizes were looked at; no file was opened (--verify quick does).',
  quick: 'Headers and end records of files were looked at (--verify deep reads every byte).',
  deep: 'Every byte was read.',
}

export function healthSection({ runs, verify }: ReportData): HTMLElement {
  const rows = runs.flatMap((run) =>
    run.checkpoints.flatMap(({ name, findings }) => findings.map((finding) => ({ run, name, finding }))),
  )
  const intro = element('p', {}, depths[verify])
  if (rows.length === 0)
    return section('health', 'Health', intro, element('p', { class: 'good' }, 'Nothing was found.'))
  const table = new SortableTable<(typeof rows)[number]>({
    id: 'health-table',
    caption: 'Findings',
    rows,
    columns: [
      { title: 'Checkpoint', value: ({ name }) => name },
      ...(runs.length > 1 ? [{ title: 'Run', value: ({ run }: (typeof rows)[number]) => run.label }] : []),
      { title: 'Grade', value: ({ finding }) => finding.grade },
      { title: 'File', value: ({ finding }) => finding.file ?? '' },
      { title: 'What is wrong', value: ({ finding }) => finding.reason },
    ],
  })
  return section('health', 'Health', intro, table.root)
}

export function settingsSection({ runs }: ReportData): HTMLElement | null {
  const named = runs.filter(({ hyperparameters }) => Object.keys(hyperparameters).length > 0)
  const [first] = named
  if (first === undefined) return null
  const names = [...new Set(named.flatMap(({ hyperparameters }) => Object.keys(hyperparameters)))]
  const differing = names.filter((name) => new Set(named.map((run) => settingText(run, name))).size > 1)
  const same = names.filter((name) => !differing.includes(name))
  return section(
    'settings',
    'Hyper-parameters',
    ...(differing.length === 0 ? [] : [element('h3', {}, 'What differs'), differences(named, differing)]),
    ...(same.length === 0
      ? []
      : [
          element('h3', {}, named.length === 1 ? first.label : 'What all have'),
          new SortableTable({
            id: 'settings-table',
            caption: 'Hyper-parameters',
            rows: same,
            columns: [
              { title: 'Name', value: (name) => name },
              {
                title: 'Value',
                value: (name) => sortValueOf(first.hyperparameters[name]),
                cell: (name) => settingText(first, name),
              },
              { title: 'From', value: (name) => first.hyperparameterSources[name] ?? '' },
            ],
          }).root,
        ]),
  )
}

function settingText({ hyperparameters }: RunData, name: string): string {
  return Object.hasOwn(hyperparameters, name) ? shownValue(hyperparameters[name]) : ''
}

function differences(runs: readonly RunData[], names: readonly string[]): HTMLElement {
  const columns: Column<RunData>[] = [
    { title: 'Run', value: ({ label }) => label },
    ...names.map((name): Column<RunData> => ({
      title: name,
      value: ({ hyperparameters }) =>
        Object.hasOwn(hyperparameters, name) ? sortValueOf(hyperparameters[name]) : null,
      cell: (run) => settingText(run, name),
    })),
  ]
  return new SortableTable({ id: 'differences-table', caption: 'Hyper-parameters that differ', columns, rows: runs })
    .root
}

export function policySection({ runs }: ReportData): HTMLElement | null {
  const asked = runs.filter(({ plan }) => plan !== null)
  if (asked.length === 0) return null
  return section(
    'policy',
    'What a policy keeps',
    element('p', { class: 'hint' }, 'Nothing was removed. ckpt prune does it, and asks first.'),
    ...asked.flatMap((run) => policyOf(run, runs.length > 1)),
  )
}

function policyOf({ label, plan, checkpoints }: RunData, isNamed: boolean): Node[] {
  if (plan === null) return []
  const { policy, source, failure, keep, remove, freedBytes, warnings } = plan
  const from = source === null ? '' : ` (${source})`
  const intro = element(
    'p',
    {},
    ...(isNamed ? [element('strong', {}, label), ': '] : []),
    element('code', {}, policy),
    from,
  )
  if (failure !== null) return [intro, element('p', { class: 'warning' }, failure)]
  const rows = checkpoints.filter(({ stays }) => stays !== undefined)
  const table = new SortableTable({
    id: `policy-${label}`,
    caption: `What the policy keeps of ${label}`,
    rows,
    columns: [
      { title: 'Checkpoint', value: ({ name }) => name },
      {
        title: 'Policy',
        value: ({ stays }) => (stays === true ? 'stays' : 'goes'),
        cell: ({ stays }) => verdictCell(stays === true),
      },
      { title: 'Why', value: ({ why = [] }) => why.join('; ') },
    ],
  })
  return [
    intro,
    element(
      'p',
      {},
      `${plural(keep, 'checkpoint')} would stay, ${plural(remove, 'checkpoint')} would go, ${formatSize(freedBytes)} would be freed.`,
    ),
    ...warnings.map((text) => element('p', { class: 'warning' }, text)),
    element(
      'details',
      {},
      element('summary', {}, `Why, checkpoint by checkpoint${isNamed ? ` of ${label}` : ''}`),
      table.root,
    ),
  ]
}

export function journalSection({ runs }: ReportData): HTMLElement | null {
  const withJournal = runs.filter(({ journal }) => journal.attempts.length + journal.removals.length > 0)
  if (withJournal.length === 0) return null
  return section('journal', 'Journal of jobs', ...withJournal.flatMap((run) => journalOf(run, runs.length > 1)))
}

type Attempt = RunData['journal']['attempts'][number]
type Removal = RunData['journal']['removals'][number]

function journalOf({ label, journal }: RunData, isNamed: boolean): Child[] {
  const { attempts, removals, unreadable } = journal
  const starts: Column<Attempt>[] = [
    { title: 'Started', value: ({ started }) => started, cell: ({ started }) => shownTime(started) },
    { title: 'Try', isNumber: true, value: ({ attempt }) => attempt },
    { title: 'From', value: ({ from }) => from ?? 'scratch' },
    {
      title: 'Took',
      isNumber: true,
      value: ({ end }) => end?.seconds ?? null,
      cell: ({ end }) => (end === null ? '' : formatAge(end.seconds)),
    },
    { title: 'New checkpoints', isNumber: true, value: ({ checkpoints }) => checkpoints.length },
    {
      title: 'Lost',
      isNumber: true,
      value: ({ end }) => end?.lost ?? null,
      cell: ({ end }) => (end === null ? '' : formatAge(end.lost)),
    },
    { title: 'Ended', value: ({ end }) => (end === null ? 'not seen' : `${end.ending}: ${end.why}`) },
    { title: 'Command', value: ({ command }) => command.join(' ') },
    { title: 'Host', value: ({ host }) => host },
  ]
  const gone: Column<Removal>[] = [
    { title: 'When', value: ({ time }) => time, cell: ({ time }) => shownTime(time) },
    { title: 'What', value: ({ what }) => what },
    { title: 'Checkpoint', value: ({ name }) => name },
    { title: 'Policy', value: ({ policy }) => policy },
    { title: 'By', value: ({ by }) => `${by.command} on ${by.host}` },
    { title: 'Why', value: ({ reason }) => reason },
  ]
  const of = isNamed ? ` of ${label}` : ''
  return [
    ...(isNamed ? [element('h3', {}, label)] : []),
    attempts.length === 0
      ? null
      : new SortableTable({ id: `attempts-${label}`, caption: `Starts${of}`, columns: starts, rows: attempts }).root,
    removals.length === 0
      ? null
      : new SortableTable({ id: `removals-${label}`, caption: `Removals${of}`, columns: gone, rows: removals }).root,
    unreadable === 0
      ? null
      : element('p', { class: 'warning' }, `${plural(unreadable, 'line')} of the journal cannot be read`),
  ]
}
