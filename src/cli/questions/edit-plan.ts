/** The plan of a prune, gone through by a person at a terminal. */
import { PlanEditor } from './plan-editor.js'
import { CkptError } from '../../core/errors.js'
import type { ByHand, PrunePlan } from '../../core/runs/index.js'
import { keyboard, stopLikeCtrlZ } from '../../machine/key-presses.js'
import { keepScreen } from '../../machine/terminal-signals.js'
import type { Output } from '../../render/output.js'
import { pageOf, renderPlanList } from '../../render/plan-list.js'

export interface EditOptions {
  /** Absolute path of the run. */
  readonly run: string
  /** What was chosen before, and is in the plan already. */
  readonly byHand: ByHand
  readonly allowEmpty: boolean
  /** Unix seconds. */
  readonly now: number
  readonly output: Output
}

/** Gives the choices, once they are done; nothing is changed by them yet. Throws CkptError `interrupted`, `refused`. */
export async function editPlan(plan: PrunePlan, options: EditOptions): Promise<ByHand> {
  const { output, now, run } = options
  const editor = new PlanEditor(plan, options.byHand, options.allowEmpty)
  const screen = output.liveScreen()
  const draw = () => {
    const { rows, cursor, isShowing, message } = editor
    const size = { width: screen.columns, height: screen.rows }
    screen.draw(renderPlanList({ run, rows, cursor, isShowing, message, now, output, ...size }))
  }
  const end = await new Promise<'done' | 'cancelled' | 'interrupted'>((resolve) => {
    const keys = keyboard((key) => {
      if (key === 'ctrl-z') {
        stopLikeCtrlZ()
        return
      }
      const end = editor.press(key, pageOf(screen.rows))
      if (end === null) draw()
      else close(key === 'ctrl-c' ? 'interrupted' : end)
    })
    const leave = () => {
      screen.leave()
      keys.giveBack()
    }
    const redraw = () => {
      keys.take()
      draw()
    }
    const forget = keepScreen({ leave, redraw })
    const stop = () => close('interrupted')
    process.once('SIGTERM', stop)
    process.once('SIGINT', stop)
    const close = (how: 'done' | 'cancelled' | 'interrupted') => {
      process.off('SIGTERM', stop)
      process.off('SIGINT', stop)
      forget()
      keys.close()
      resolve(how)
    }
    redraw()
  })
  if (end === 'interrupted') throw new CkptError('interrupted', 'interrupted; nothing was done')
  if (end === 'cancelled') throw new CkptError('refused', 'Cancelled; nothing removed.')
  return editor.byHand
}
