/**
 * What may stand in `ckpt.yaml`, as a JSON schema for editors (draft-07: the one that all of them know). It takes all
 * that is read, and refuses what is reported as a mistake, as far as a schema can tell.
 */
import { Parser } from '@oclif/core'
import { placeholdersOf, steps, type Step } from '../../core/jobs/hooks/index.js'
import type { CommandFlags } from './effective.js'
import { alone, isSettable, type FlagDefinition } from './values.js'

export type Schema = Readonly<Record<string, unknown>>

/** A command with what its help says first. */
export interface DescribedCommand extends CommandFlags {
  readonly summary: string | undefined
}

export async function schemaOf(commands: readonly DescribedCommand[]): Promise<Schema> {
  const sections: [string, Schema][] = []
  for (const command of commands) sections.push([command.name, await sectionOf(command)])
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'ckpt.yaml',
    description: 'Flags of ckpt by the names of their commands, hooks and layouts (docs/configuration.md)',
    type: ['object', 'null'],
    properties: { ...Object.fromEntries(sections), hooks, layouts, trust, complete },
    additionalProperties: false,
  }
}

async function sectionOf({ flags, summary }: DescribedCommand): Promise<Schema> {
  const properties: [string, Schema][] = []
  for (const [flag, definition] of Object.entries(flags)) {
    if (isSettable(flag)) properties.push([flag, await flagSchema(definition)])
  }
  return {
    ...described(summary),
    type: ['object', 'null'],
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  }
}

async function flagSchema(flag: FlagDefinition): Promise<Schema> {
  const about = { ...described(flag.description), ...defaultOf(flag) }
  if (flag.type === 'boolean') return { ...about, type: 'boolean' }
  const value = await valueSchema(flag)
  return flag.multiple === true ? { ...about, anyOf: [value, { type: 'array', items: value }] } : { ...about, ...value }
}

async function valueSchema(flag: FlagDefinition & { readonly options?: readonly string[] }): Promise<Schema> {
  if (flag.options !== undefined) return { enum: [...flag.options] }
  return (await takesWholeNumbers(flag)) ? { type: ['integer', 'string'], pattern: '^-?[0-9]+$' } : plain
}

/** That the flag's own parser knows alone: it makes a number of one, and refuses half of it. */
async function takesWholeNumbers(flag: FlagDefinition): Promise<boolean> {
  const read = (text: string) =>
    Parser.parse([`--flag=${text}`], { flags: { flag: alone(flag) } }).then(
      ({ flags }) => (flags as Record<string, unknown>)['flag'],
      () => null,
    )
  return typeof (await read('2')) === 'number' && (await read('0.5')) === null
}

function defaultOf({ default: value }: FlagDefinition): Schema {
  return typeof value === 'string' || typeof value === 'number' ? { default: value } : {}
}

/** Descriptions are broken into lines for the terminal. */
function described(text: string | undefined): Schema {
  return text === undefined ? {} : { description: text.replaceAll(/\s*\n\s*/g, ' ') }
}

/** One value. */
const plain: Schema = { type: ['string', 'number'] }

const trust: Schema = {
  description:
    'in your own settings only: folders whose settings are taken, whichever user owns them; group: also what a group of several people may write',
  anyOf: [plain, { type: 'array', items: plain }],
}

const stepDescriptions: Readonly<Record<Step, string>> = {
  save: 'makes the file of a new checkpoint',
  load: 'makes what is read in place of the file',
  transfer: 'makes what the file becomes elsewhere',
  verify: 'says by its exit status whether the file is whole',
}

function stepSchema(step: Step): Schema {
  const known = placeholdersOf[step].map((name) => `{${name}}`).join(' ')
  return { description: `a command that ${stepDescriptions[step]}; filled in: ${known}`, type: 'string', minLength: 1 }
}

const pattern = { type: 'string', minLength: 1 }

const complete: Schema = {
  description: 'a file of your own that is written last into each checkpoint: without it a save was not finished',
  ...pattern,
}

const layouts: Schema = {
  description: "how checkpoints of one's own lie on disk (docs/adding-a-layout.md)",
  type: ['array', 'null'],
  items: {
    type: 'object',
    properties: {
      name: { description: 'stands in --json and in --where', type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$' },
      title: { description: 'for people', ...pattern },
      checkpoint: {
        description: 'its name: "ckpt_{step:int}_{loss:float}.pt"; of a folder with a / at the end',
        ...pattern,
      },
      members: { description: 'all files of one: "{checkpoint}", "{checkpoint}.opt"', type: 'array', items: pattern },
      meta: {
        description: 'where its facts are: a .json or .yaml file, or keys inside a torch file',
        anyOf: [
          pattern,
          {
            type: 'object',
            properties: { torch: { type: 'array', items: pattern }, file: pattern },
            required: ['torch'],
            additionalProperties: false,
          },
        ],
      },
      complete: { description: 'a file that is written last', ...pattern },
      files: {
        description: 'its files by their keys',
        type: 'object',
        additionalProperties: {
          anyOf: [
            pattern,
            {
              type: 'object',
              properties: { match: pattern, role: { enum: ['weights', 'resume', 'all', 'loop', 'index', 'other'] } },
              required: ['match'],
              additionalProperties: false,
            },
          ],
        },
      },
    },
    required: ['name', 'checkpoint'],
    additionalProperties: false,
  },
}

const hooks: Schema = {
  description: 'commands in place of what ckpt does with files of checkpoints',
  type: ['array', 'null'],
  items: {
    type: 'object',
    properties: {
      key: { description: 'for the file with this key', ...plain },
      match: {
        description: 'for files whose name or key matches "*.zst"',
        type: 'string',
        minLength: 1,
        pattern: '^[^/]*$',
      },
      ...Object.fromEntries(steps.map((step) => [step, stepSchema(step)])),
      shell: { description: 'sh runs the command, with $CKPT_SOURCE, $CKPT_TARGET, …', type: 'boolean' },
      timeout: { description: 'after so long it is stopped: 30s, 10m', ...plain },
    },
    additionalProperties: false,
    oneOf: [{ required: ['key'] }, { required: ['match'] }],
    anyOf: steps.map((step) => ({ required: [step] })),
  },
}
