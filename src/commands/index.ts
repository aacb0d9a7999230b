/** Every command by its name. */
import List from './list.js'

export const commands = { list: List }
