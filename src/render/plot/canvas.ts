/** A picture of characters: dots of braille where the terminal has them, two wide and four high in each; else letters. */

/** Of each dot, by row and column (Unicode, Braille Patterns). */
const bits = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const

export interface Glyphs {
  /** Null: each series is drawn with its own letter. */
  readonly braille: boolean
  readonly letters: readonly string[]
}

interface Cell {
  dots: number
  series: number
  /** Stands over the dots. */
  mark: string | null
}

export class Canvas {
  private readonly cells: (Cell | undefined)[]

  constructor(
    readonly width: number,
    readonly height: number,
    private readonly glyphs: Glyphs,
  ) {
    this.cells = new Array<Cell | undefined>(width * height)
  }

  private get scale(): { readonly x: number; readonly y: number } {
    return this.glyphs.braille ? { x: 2, y: 4 } : { x: 1, y: 1 }
  }

  /** Places are from 0 to 1, y upwards. */
  line(
    from: { readonly x: number; readonly y: number },
    to: { readonly x: number; readonly y: number },
    series: number,
  ): void {
    const [ax, ay] = this.dotAt(from)
    const [bx, by] = this.dotAt(to)
    const steps = Math.max(Math.abs(bx - ax), Math.abs(by - ay), 1)
    for (let step = 0; step <= steps; step += 1) {
      this.dot(Math.round(ax + ((bx - ax) * step) / steps), Math.round(ay + ((by - ay) * step) / steps), series)
    }
  }

  mark(at: { readonly x: number; readonly y: number }, series: number, sign: string): void {
    const [x, y] = this.dotAt(at)
    this.cell(Math.floor(x / this.scale.x), Math.floor(y / this.scale.y), series).mark = sign
  }

  private dotAt({ x, y }: { readonly x: number; readonly y: number }): [number, number] {
    const [columns, rows] = [this.width * this.scale.x - 1, this.height * this.scale.y - 1]
    return [Math.round(clamp(x) * columns), Math.round((1 - clamp(y)) * rows)]
  }

  private dot(x: number, y: number, series: number): void {
    const cell = this.cell(Math.floor(x / this.scale.x), Math.floor(y / this.scale.y), series)
    cell.dots |= this.glyphs.braille ? (bits[y % 4]?.[x % 2] ?? 0) : 1
  }

  private cell(x: number, y: number, series: number): Cell {
    const at = y * this.width + x
    const cell = (this.cells[at] ??= { dots: 0, series, mark: null })
    if (cell.mark === null) cell.series = series
    return cell
  }

  /** From the top; `paint` gives a text the colour of its series. */
  rows(paint: (series: number, text: string) => string): string[] {
    return Array.from({ length: this.height }, (_, y) => {
      let row = ''
      for (let x = 0; x < this.width; x += 1) {
        const cell = this.cells[y * this.width + x]
        row += cell === undefined ? ' ' : paint(cell.series, this.signOf(cell))
      }
      return row.trimEnd()
    })
  }

  private signOf({ dots, series, mark }: Cell): string {
    if (mark !== null) return mark
    if (this.glyphs.braille) return String.fromCharCode(0x2800 + dots)
    return this.glyphs.letters[series % this.glyphs.letters.length] ?? '*'
  }
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}
