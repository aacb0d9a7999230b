/** Every command by its name. */
import Average from './average.js'
import Completion from './completion.js'
import Config from './config.js'
import Convert from './convert.js'
import Demote from './demote.js'
import Diff from './diff.js'
import Doctor from './doctor.js'
import Du from './du.js'
import Export from './export.js'
import Find from './find.js'
import Gc from './gc.js'
import Layouts from './layouts/index.js'
import LayoutsExplain from './layouts/explain.js'
import List from './list.js'
import Log from './log.js'
import PinCommand from './pin.js'
import Plot from './plot.js'
import Pretrain from './pretrain.js'
import Prune from './prune.js'
import Recover from './recover.js'
import Report from './report.js'
import Rm from './rm.js'
import RunCommand from './run.js'
import Runs from './runs.js'
import Save from './save.js'
import Show from './show.js'
import Stalled from './stalled.js'
import Stop from './stop.js'
import Submit from './submit.js'
import Tensors from './tensors.js'
import Transfer from './transfer.js'
import TrashEmpty from './trash/empty.js'
import TrashList from './trash/list.js'
import TrashRestore from './trash/restore.js'
import Unpin from './unpin.js'
import Verify from './verify.js'
import Watch from './watch.js'

export const commands = {
  average: Average,
  completion: Completion,
  config: Config,
  convert: Convert,
  demote: Demote,
  diff: Diff,
  doctor: Doctor,
  du: Du,
  export: Export,
  find: Find,
  gc: Gc,
  layouts: Layouts,
  'layouts:explain': LayoutsExplain,
  list: List,
  log: Log,
  pin: PinCommand,
  plot: Plot,
  pretrain: Pretrain,
  prune: Prune,
  recover: Recover,
  report: Report,
  rm: Rm,
  run: RunCommand,
  runs: Runs,
  save: Save,
  show: Show,
  stalled: Stalled,
  stop: Stop,
  submit: Submit,
  tensors: Tensors,
  transfer: Transfer,
  'trash:empty': TrashEmpty,
  'trash:list': TrashList,
  'trash:restore': TrashRestore,
  unpin: Unpin,
  verify: Verify,
  watch: Watch,
}
