/** A table whose columns sort, in pages of rows: thousands of rows cost what one page does. */
import { button, element, type Child } from './dom.js'
import { compare, type SortValue } from './values.js'

export interface Column<R> {
  readonly title: string
  /** What tells it from the others where its title may not: a metric may be called `Time`. */
  readonly id?: string
  readonly value: (row: R) => SortValue
  /** What is shown; left out: the value. */
  readonly cell?: (row: R) => Child
  readonly isNumber?: boolean
}

export interface TableOptions<R> {
  /** Of the page's parts the table's own. */
  readonly id: string
  readonly caption: string
  readonly columns: readonly Column<R>[]
  readonly rows: readonly R[]
  /** What a row unfolds to. */
  readonly details?: (row: R) => Node
  /** What tells a row apart, also when its data come anew. */
  readonly keyOf?: (row: R) => string
}

const pageSize = 100
/** On paper there are no pages to turn. */
const mostPrinted = 5000

/** Only what is in the page is reported: tables go with each news of a page that is served, and the window would keep them. */
for (const name of ['beforeprint', 'afterprint']) {
  window.addEventListener(name, () => {
    for (const table of document.querySelectorAll('div.table')) table.dispatchEvent(new Event(name))
  })
}

export class SortableTable<R> {
  readonly root: HTMLElement
  readonly #table = element('table')
  readonly #status = element('span', { role: 'status' })
  readonly #pager: HTMLElement
  readonly #previous: HTMLButtonElement
  readonly #next: HTMLButtonElement
  readonly #unfolded = new Set<string>()
  #columns: readonly Column<R>[]
  #rows: readonly R[]
  #sort: { readonly id: string; readonly direction: 1 | -1 } | null = null
  #page = 0
  #isPrinting = false

  constructor(private readonly options: TableOptions<R>) {
    this.#columns = options.columns
    this.#rows = options.rows
    this.#previous = button('Previous rows', () => this.#turn(-1))
    this.#next = button('Next rows', () => this.#turn(1))
    this.#pager = element('div', { class: 'pager' }, this.#previous, this.#status, this.#next)
    const scroller = element(
      'div',
      { class: 'scroller', tabindex: 0, role: 'group', 'aria-label': options.caption },
      this.#table,
    )
    this.root = element('div', { class: 'table', id: options.id }, scroller, this.#pager)
    this.root.addEventListener('beforeprint', () => this.#print(true))
    this.root.addEventListener('afterprint', () => this.#print(false))
    this.#draw()
  }

  /** Other rows or columns, in the order that was chosen. */
  update(rows: readonly R[], columns: readonly Column<R>[] = this.#columns): void {
    this.#rows = rows
    this.#columns = columns
    this.#page = Math.min(this.#page, Math.max(0, Math.ceil(rows.length / pageSize) - 1))
    this.#draw()
  }

  #turn(by: 1 | -1): void {
    this.#page += by
    this.#draw()
    const turned = by === 1 ? this.#next : this.#previous
    // A button that can no more be pressed would lose the focus to nothing.
    if (turned.disabled) (by === 1 ? this.#previous : this.#next).focus()
  }

  #print(isPrinting: boolean): void {
    this.#isPrinting = isPrinting
    this.#draw()
  }

  #sortBy(id: string): void {
    const isSame = this.#sort?.id === id
    this.#sort = { id, direction: isSame && this.#sort?.direction === 1 ? -1 : 1 }
    this.#page = 0
    this.#draw()
    this.#table
      .querySelector<HTMLElement>('th[aria-sort="ascending"] button, th[aria-sort="descending"] button')
      ?.focus()
  }

  #sorted(): readonly R[] {
    const sort = this.#sort
    const column = this.#columns.find((one) => idOf(one) === sort?.id)
    if (sort === null || column === undefined) return this.#rows
    const keyed = this.#rows.map((row) => ({ row, value: column.value(row) }))
    return keyed.sort((a, b) => compare(a.value, b.value, sort.direction)).map(({ row }) => row)
  }

  #draw(): void {
    const all = this.#sorted()
    const [from, to] = this.#isPrinting ? [0, mostPrinted] : [this.#page * pageSize, (this.#page + 1) * pageSize]
    const shown = all.slice(from, to)
    const body = element('tbody', {}, ...shown.flatMap((row) => this.#rowsOf(row)))
    this.#table.replaceChildren(element('caption', {}, this.options.caption), this.#head(), body)
    this.#pager.hidden = all.length <= pageSize
    this.#status.textContent = `${from + 1} to ${from + shown.length} of ${all.length}`
    this.#previous.disabled = this.#page === 0
    this.#next.disabled = to >= all.length
  }

  #head(): HTMLElement {
    const cells = this.#columns.map((column) => {
      const { title, isNumber = false } = column
      const isSorted = this.#sort?.id === idOf(column)
      const order = isSorted ? (this.#sort?.direction === 1 ? 'ascending' : 'descending') : undefined
      const arrow = element(
        'span',
        { 'aria-hidden': 'true', class: 'arrow' },
        order === undefined ? '' : order === 'ascending' ? ' ▲' : ' ▼',
      )
      const label = button(title, () => this.#sortBy(idOf(column)))
      label.append(arrow)
      return element('th', { scope: 'col', class: isNumber ? 'number' : undefined, 'aria-sort': order }, label)
    })
    return element('thead', {}, element('tr', {}, ...cells))
  }

  #rowsOf(row: R): HTMLElement[] {
    const { details, keyOf } = this.options
    const cells = this.#columns.map((column, index) => this.#cell(row, column, index === 0))
    const shown = element('tr', {}, ...cells)
    if (details === undefined || keyOf === undefined) return [shown]
    const key = keyOf(row)
    const isUnfolded = this.#unfolded.has(key)
    const [first] = cells
    const content = first === undefined ? [] : [...first.childNodes]
    const toggle = button('', () => this.#unfold(key), { class: 'unfold', 'aria-expanded': String(isUnfolded) })
    toggle.append(element('span', { 'aria-hidden': 'true', class: 'arrow' }, isUnfolded ? '▾ ' : '▸ '), ...content)
    toggle.dataset['key'] = key
    first?.replaceChildren(toggle)
    if (!isUnfolded) return [shown]
    return [shown, element('tr', { class: 'details' }, element('td', { colspan: this.#columns.length }, details(row)))]
  }

  #cell(row: R, column: Column<R>, isFirst: boolean): HTMLElement {
    const value = column.cell === undefined ? column.value(row) : column.cell(row)
    const content = typeof value === 'number' ? String(value) : value
    const attributes = { class: column.isNumber === true ? 'number' : undefined }
    return isFirst ? element('th', { scope: 'row', ...attributes }, content) : element('td', attributes, content)
  }

  #unfold(key: string): void {
    if (!this.#unfolded.delete(key)) this.#unfolded.add(key)
    this.#draw()
    for (const toggle of this.#table.querySelectorAll<HTMLElement>('button.unfold')) {
      if (toggle.dataset['key'] === key) toggle.focus()
    }
  }
}

function idOf<R>({ id, title }: Column<R>): string {
  return id ?? title
}
