/** The recorded answers of SpeechBrain's own Checkpointer to questions of find and prune. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { parseExpression, type Expression } from '../../../../src/core/choosing/expression/index.js'
import { readMetas } from '../../../../src/core/checkpoints/meta/index.js'
import { plan, type RankedOrder } from '../../../../src/core/choosing/retention/index.js'
import { byRecency, filter, find, rank, scopeOf, type Order } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint, namesOf } from '../../checkpoints.js'

interface Case {
  readonly id: string
  readonly op: 'find' | 'prune'
  readonly args: readonly string[]
  readonly checkpoints: readonly { readonly name: string; readonly 'CKPT.yaml': string }[]
  readonly expected: readonly string[]
}

const { cases } = JSON.parse(readFileSync(new URL('../../../fixtures/select.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly Case[]
}

const now = 2_000_000_000

interface Question {
  keep?: number
  count?: number
  recent: boolean
  where: Expression[]
  orders: Order[]
}

async function readArguments(args: readonly string[]): Promise<Question> {
  const question: Question = { recent: true, where: [], orders: [] }
  for (let index = 0; index < args.length; index += 1) {
    const flag = args[index]
    if (flag === '--no-keep-recent') {
      question.recent = false
      continue
    }
    index += 1
    const value = args[index] ?? ''
    if (flag === '--keep') question.keep = Number(value)
    else if (flag === '--num') question.count = Number(value)
    else if (flag === '--where') question.where.push(await parseExpression(value))
    else if (flag === '--by') question.orders.push({ kind: 'by', expression: await parseExpression(value) })
    else if (flag === '--min' || flag === '--max')
      question.orders.push({ kind: flag === '--min' ? 'min' : 'max', key: value })
    else throw new Error(`no such flag: ${String(flag)}`)
  }
  return question
}

async function readCheckpoints(of: Case): Promise<Checkpoint[]> {
  const metas = await readMetas(of.checkpoints.map((one) => Buffer.from(one['CKPT.yaml'])))
  return of.checkpoints.map(({ name }, index) => {
    const meta = metas[index]
    if (!(meta instanceof Map)) throw new Error(`${name}: not read`)
    return checkpoint(name, { meta })
  })
}

function pruned(checkpoints: readonly Checkpoint[], question: Question): string[] {
  const { ordered } = byRecency(checkpoints)
  const selected = filter(ordered, question.where, now)
  const orders: RankedOrder[] = question.orders.map((order) => ({
    label: order.kind,
    named: true,
    ranked: rank(selected, order, now),
  }))
  if (question.recent) orders.push({ label: 'recency', named: false, ranked: selected })
  const { keep } = plan({
    checkpoints: ordered,
    policy: {
      keep: question.keep,
      orders,
      selected: question.where.length === 0 ? undefined : new Set(selected),
      allowEmpty: true,
    },
    context: { now, scopeOf: (one) => scopeOf(one, now), utcOffset: () => 0 },
    healthKnown: false,
    protections: null,
  })
  return keep.map((kept) => kept.checkpoint.name)
}

describe("SpeechBrain's Checkpointer is answered alike", () => {
  it('in as many cases as were recorded', () => {
    expect(cases.length).toBe(240)
  })

  it.each(cases)('$id: $op $args', async (one) => {
    const question = await readArguments(one.args)
    const checkpoints = await readCheckpoints(one)
    if (one.op === 'prune') expect(pruned(checkpoints, question).sort()).toEqual([...one.expected].sort())
    else {
      const { found } = find(
        checkpoints,
        { where: question.where, order: question.orders[0], count: question.count },
        now,
      )
      expect(namesOf(found)).toEqual(one.expected)
    }
  })
})
