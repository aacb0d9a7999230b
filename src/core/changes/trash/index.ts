/** The trash of a run: checkpoints that left their names and can have them back. */
export { emptyTrash, tidyTrash, type Emptied, type EmptyOptions } from './empty.js'
export { moveToTrash, openTrash, type TrashOptions } from './move.js'
export { restore } from './restore.js'
