/** Light, dark, or as the system has it. */
import { chooser } from './dom.js'

const themes = [
  { value: 'auto', label: 'as the system' },
  { value: 'light', label: 'light' },
  { value: 'dark', label: 'dark' },
]

/** The switch; `onChange` is called for the system's changes too. */
export function themeSwitch(onChange: () => void): HTMLElement {
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange)
  const { field } = chooser('Colours', themes, 'auto', (value) => {
    if (value === 'auto') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = value
    onChange()
  })
  return field
}
