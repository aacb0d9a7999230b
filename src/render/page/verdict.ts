/** The table cell that says whether a checkpoint stays or goes by the policy. */
import { element } from './dom.js'

/** What the policy says of a checkpoint. */
export function verdictCell(stays: boolean): HTMLElement {
  return element('span', { class: stays ? 'good' : 'bad' }, stays ? 'stays' : 'would go')
}
