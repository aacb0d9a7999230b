import { describe, expect, it } from 'vitest'
import { csvCell, csvCells, csvRows, textLines } from '../../../../src/core/formats/text/csv.js'

describe('the cells of a row', () => {
  it.each([
    ['a,b', ['a', 'b']],
    ['', ['']],
    [',"a"', ['', 'a']],
    [',,"a,b",', ['', '', 'a,b', '']],
    ['"a ""quoted"" name",x', ['a "quoted" name', 'x']],
    ['"a"junk,b', ['a', 'b']],
    ['"never closed,b', ['"never closed', 'b']],
    ['"', ['"']],
  ])('of %j are %j', (row, cells) => {
    expect(csvCells(row)).toEqual(cells)
    expect(cells.map((_, index) => csvCell(row, index))).toEqual(cells)
  })
})

describe('the rows of a text', () => {
  const all = async (rows: AsyncGenerator<readonly string[]>): Promise<string[]> => {
    const found: string[] = []
    for await (const some of rows) found.push(...some)
    return found
  }
  const source = (text: string) => {
    const bytes = new TextEncoder().encode(text)
    return { byteLength: bytes.length, read: async (at: number, length: number) => bytes.subarray(at, at + length) }
  }

  it('may have line ends within quotes', async () => {
    expect(await all(csvRows(source('a,"b\nc"\r\nd,e')))).toEqual(['a,"b\nc"', 'd,e'])
  })

  it('are none where a line is empty', async () => {
    expect(await all(csvRows(source('a,b\n\n\r\n1,2\n')))).toEqual(['a,b', '1,2'])
    expect(await all(textLines(source('\n'.repeat(1000))))).toEqual([])
  })

  it('end with each line where quotes are escaped, as in JSON lines', async () => {
    const lines = ['{"note": "5\\" pipe", "step": 1}', '{"step": 2}']
    expect(await all(textLines(source(lines.join('\n'))))).toEqual(lines)
  })
})
