/** Users' own commands for saving, loading, transferring and verifying: parsed, chosen, run. */
export { chooseHook, type ChosenHook, type Subject } from './choose.js'
export { placeholdersOf, steps, type Hook, type HookFolder, type Step } from './hook.js'
export { parseHooks } from './parse.js'
export type { Values } from './placeholders.js'
export { produce } from './produce.js'
export { runHook, type HookEnd, type HookProcess, type RunProcess } from './run.js'
