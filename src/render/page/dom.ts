/** Elements of the page. Text goes in as text: nothing here, and nothing else in this folder, parses markup. */
import { printable } from '../printable.js'

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>
export type Child = Node | string | null

/** An element with these attributes, of which `true` is an empty one and `false` or undefined none, and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, '')
    else if (value !== undefined && value !== false) made.setAttribute(key, String(value))
  }
  for (const child of children) {
    if (child !== null) made.append(typeof child === 'string' ? printable(child) : child)
  }
  return made
}

export function button(label: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, label)
  made.addEventListener('click', onClick)
  return made
}

export interface Choice {
  readonly value: string
  readonly label: string
}

/** A drop-down list with its label. */
export function chooser(
  label: string,
  choices: readonly Choice[],
  chosen: string,
  onChange: (value: string) => void,
): { readonly field: HTMLElement; readonly select: HTMLSelectElement } {
  const select = element('select')
  fillChoices(select, choices, chosen)
  select.addEventListener('change', () => onChange(select.value))
  return { field: element('label', { class: 'field' }, element('span', {}, label), select), select }
}

export function fillChoices(select: HTMLSelectElement, choices: readonly Choice[], chosen: string): void {
  select.replaceChildren(
    ...choices.map(({ value, label }) => {
      const option = element('option', {}, label)
      option.value = value
      option.selected = value === chosen
      return option
    }),
  )
}

/** A field for what `matcherOf` reads, with its label. */
export function filterField(label: string, example: string, onInput: (text: string) => void): HTMLElement {
  const search = element('input', { type: 'search', placeholder: example })
  search.addEventListener('input', () => onInput(search.value))
  return element('label', { class: 'field wide' }, element('span', {}, label), search)
}

export function checkbox(label: string, isOn: boolean, onChange: (isOn: boolean) => void, before?: Node): HTMLElement {
  const input = element('input', { type: 'checkbox' })
  input.checked = isOn
  input.addEventListener('change', () => onChange(input.checked))
  return element('label', { class: 'check' }, input, before ?? null, element('span', {}, label))
}

/** A part of the page with a heading. */
export function section(id: string, title: string, ...children: readonly Child[]): HTMLElement {
  return element(
    'section',
    { id, 'aria-labelledby': `${id}-title` },
    element('h2', { id: `${id}-title` }, title),
    ...children,
  )
}
