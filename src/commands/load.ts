/** Every command by its name. Each is loaded only when it is called, so that starting one does not load the others. */
import type { commands } from './index.js'

type Loaders = {
  readonly [Name in keyof typeof commands]: () => Promise<{ readonly default: (typeof commands)[Name] }>
}

export const loadCommand: Loaders = {
  average: () => import('./average.js'),
  completion: () => import('./completion.js'),
  config: () => import('./config.js'),
  convert: () => import('./convert.js'),
  demote: () => import('./demote.js'),
  diff: () => import('./diff.js'),
  doctor: () => import('./doctor.js'),
  du: () => import('./du.js'),
  export: () => import('./export.js'),
  find: () => import('./find.js'),
  gc: () => import('./gc.js'),
  layouts: () => import('./layouts/index.js'),
  'layouts:explain': () => import('./layouts/explain.js'),
  list: () => import('./list.js'),
  log: () => import('./log.js'),
  pin: () => import('./pin.js'),
  plot: () => import('./plot.js'),
  pretrain: () => import('./pretrain.js'),
  prune: () => import('./prune.js'),
  recover: () => import('./recover.js'),
  report: () => import('./report.js'),
  rm: () => import('./rm.js'),
  run: () => import('./run.js'),
  runs: () => import('./runs.js'),
  save: () => import('./save.js'),
  show: () => import('./show.js'),
  stalled: () => import('./stalled.js'),
  stop: () => import('./stop.js'),
  submit: () => import('./submit.js'),
  tensors: () => import('./tensors.js'),
  transfer: () => import('./transfer.js'),
  'trash:empty': () => import('./trash/empty.js'),
  'trash:list': () => import('./trash/list.js'),
  'trash:restore': () => import('./trash/restore.js'),
  unpin: () => import('./unpin.js'),
  verify: () => import('./verify.js'),
  watch: () => import('./watch.js'),
}
