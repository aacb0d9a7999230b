import { describe, expect, it } from 'vitest'
import { csvCell, csvCells } from '../../../src/core/formats/csv.js'

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
