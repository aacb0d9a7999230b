/**
 * What other programs (git, hf, restic, borg, Slurm) call the things that ckpt does: for hints alone, never run. The
 * tables are made when a hint asks for them.
 */
import { namesWithin } from '../../core/nearest.js'

/** By what people type: commands of ours, the likeliest first. */
const commands = () =>
  table(
    all(['delete', 'del', 'remove', 'erase', 'unlink'], 'rm', 'prune'),
    all(['forget', 'clean', 'cleanup', 'clear', 'purge', 'retain', 'expire'], 'prune'),
    all(['check', 'fsck', 'validate', 'test', 'scrub'], 'verify'),
    all(['snapshots', 'dir', 'ps', 'versions'], 'list'),
    all(['status', 'info', 'cat', 'inspect', 'summary', 'describe', 'view', 'open'], 'show'),
    all(['best', 'search', 'select'], 'find best'),
    all(['latest', 'newest', 'last'], 'find latest'),
    all(['resume', 'continue', 'load', 'checkout'], 'recover', 'run'),
    all(['start', 'train', 'exec', 'launch', 'retry'], 'run'),
    all(['copy', 'cp', 'download', 'extract', 'pack'], 'export'),
    all(['restore', 'undo', 'undelete', 'recycle'], 'trash restore'),
    all(['tag', 'keep', 'lock', 'protect', 'star'], 'pin'),
    all(['untag', 'unlock', 'unprotect'], 'unpin'),
    all(['compare'], 'diff'),
    all(['monitor', 'tail', 'follow', 'live'], 'watch'),
    all(['history', 'events', 'journal', 'logs'], 'log'),
    all(['sbatch', 'queue', 'enqueue'], 'submit'),
    all(['kill', 'cancel', 'scancel', 'abort', 'halt'], 'stop'),
    all(['merge', 'mean', 'ema', 'swa'], 'average'),
    all(['size', 'usage', 'df', 'stats', 'disk'], 'du'),
    all(['graph', 'chart', 'draw', 'curve', 'curves'], 'plot'),
    all(['leaderboard', 'compare-runs', 'experiments'], 'runs'),
    all(['snapshot', 'commit', 'add', 'create', 'write', 'backup'], 'save'),
    all(['env', 'debug', 'health', 'cache'], 'doctor'),
    all(['settings', 'configure', 'preferences'], 'config'),
    all(['complete', 'completions', 'autocomplete'], 'completion'),
    all(['slim', 'strip', 'shrink', 'compact'], 'demote'),
    all(['frameworks', 'formats'], 'layouts'),
    all(['version'], '--version'),
  )

/** By what stands behind `ckpt trash`. */
const trashCommands = () =>
  table(
    all(['ls', 'show', 'status'], 'list'),
    all(['rm', 'remove', 'delete', 'clear', 'clean', 'purge', 'prune'], 'empty'),
    all(['undo', 'recover', 'undelete', 'back', 'pop', 'apply'], 'restore'),
  )

/** By what people type without dashes: flags of ours, of which those that a command has are meant. */
const flags = () =>
  table(
    all(['keep-last', 'keep-best', 'keep-latest', 'keep-newest', 'keep-top', 'save-top-k', 'save-total-limit'], 'keep'),
    all(['keep-hourly', 'keep-yearly'], 'keep-daily', 'keep-within'),
    all(['keep-tag', 'keep-if', 'protect'], 'keep-where'),
    all(['metric', 'monitor', 'rank', 'rank-by', 'order', 'order-by'], 'min', 'max'),
    all(['lowest', 'minimize', 'smallest'], 'min'),
    all(['highest', 'maximize', 'largest', 'greatest'], 'max'),
    all(['k'], 'keep'),
    all(['n', 'top', 'count', 'head', 'max-count', 'first', 'num', 'limit', 'lines', 'k'], 'num', 'limit', 'last'),
    all(['last', 'latest', 'newest'], 'num', 'limit', 'keep'),
    all(['best'], 'min', 'max'),
    all(['format', 'output-format', 'fmt'], 'to', 'json'),
    all(['porcelain', 'machine', 'script'], 'json'),
    all(['force', 'f', 'rf', 'fr', 'no-confirm', 'assume-yes', 'non-interactive', 'confirm'], 'yes'),
    all(['filter', 'if', 'match', 'query', 'select', 'condition', 'f'], 'where'),
    all(['sort-by', 'order', 'orderby', 's'], 'sort'),
    all(['out', 'o', 'output', 'dest', 'destination', 'target', 'to', 'local-dir', 'save-to', 'dir'], 'output', 'into'),
    all(['fields', 'cols', 'show', 'c'], 'columns'),
    all(['dry', 'simulate', 'pretend', 'what-if', 'no-act', 'preview', 'check-only'], 'dry-run'),
    all(['depth', 'full', 'read-data', 'check', 'checksum', 'all', 'thorough', 'level', 'verify'], 'deep', 'verify'),
    all(['quick', 'fast', 'shallow', 'headers'], 'verify'),
    all(['r', 'R', 'recurse', 'all-runs', 'tree'], 'recursive'),
    all(['age', 'older', 'max-age', 'before', 'since', 'min-age'], 'older-than'),
    all(['max-size', 'quota', 'size', 'total'], 'max-total'),
    all(['free', 'min-space', 'free-space'], 'min-free'),
    all(['message', 'm', 'comment', 'description', 'name'], 'note', 'meta'),
    all(['a', 'verbose', 'l', 'long', 'wide'], 'all'),
    all(['silent', 's'], 'quiet'),
    all(['ignore', 'skip', 'e'], 'exclude'),
    all(['hard-link', 'hardlink', 'symlink', 'copy'], 'link'),
    all(['expires', 'ttl', 'for'], 'until'),
    all(['recycle', 'soft', 'move-to-trash'], 'trash'),
    all(['damaged', 'broken', 'corrupt'], 'remove-damaged'),
    all(['restarts', 'max-retries', 'max-restarts', 'attempts'], 'retries'),
    all(['timeout', 'hang', 'heartbeat'], 'stall'),
    all(['every', 'refresh', 'n'], 'interval'),
    all(['port', 'web', 'open', 'browser'], 'serve'),
  )

/** These words, and what each of them is here. */
function all(words: readonly string[], ...ours: readonly string[]): (readonly [string, readonly string[]])[] {
  return words.map((word) => [word, ours])
}

/** A word that stands in several rows means what all of them say, in their order. */
function table(...rows: readonly (readonly [string, readonly string[]])[][]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const [word, ours] of rows.flat()) found.set(word, [...(found.get(word) ?? []), ...ours])
  return found
}

/** Commands that do what `word` does elsewhere, as they are typed behind `ckpt`; `topic` is `''` or `trash `. */
export function commandsCalled(word: string, topic = ''): readonly string[] {
  if (topic === '') return commands().get(word) ?? []
  return topic === 'trash ' ? (trashCommands().get(word) ?? []) : []
}

/** The same for a word that is nearly one of those. */
export function commandsNearlyCalled(word: string, slips: number): readonly string[] {
  const known = commands()
  const meant = namesWithin(slips, word, [...known.keys()])
  return [...new Set(meant.flatMap((one) => known.get(one) ?? []))]
}

/** Whether `name` is what some flag is called elsewhere, so that it is no slip of another name. */
export function isCalledElsewhere(name: string): boolean {
  return flags().has(name)
}

/** The first of `own` flags that is what `name` means elsewhere; none where the command has no such flag. */
export function flagsCalled(name: string, own: readonly string[]): readonly string[] {
  // One of its own with a dash too few.
  if (own.includes(name)) return [name]
  const there = (flags().get(name) ?? []).filter((flag) => own.includes(flag))
  const isPair = there.includes('min') && there.includes('max')
  return isPair ? there : there.slice(0, 1)
}
