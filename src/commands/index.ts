/** Every command by its name. */
import Find from './find.js'
import List from './list.js'
import Prune from './prune.js'
import Recover from './recover.js'
import Save from './save.js'
import Show from './show.js'
import Tensors from './tensors.js'
import Transfer from './transfer.js'
import Verify from './verify.js'

export const commands = {
  find: Find,
  list: List,
  prune: Prune,
  recover: Recover,
  save: Save,
  show: Show,
  tensors: Tensors,
  transfer: Transfer,
  verify: Verify,
}
