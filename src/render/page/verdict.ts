import { element } from './dom.js'

/** What the policy says of a checkpoint. */
export function verdictCell(stays: boolean): HTMLElement {
  return element('span', { class: stays ? 'good' : 'bad' }, stays ? 'stays' : 'would go')
}
