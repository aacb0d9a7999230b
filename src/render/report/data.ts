/** What a page of a report holds as JSON, as its script reads it. Numbers that JSON has not are the strings "NaN", "Infinity" and "-Infinity". */

export type PageNumber = number | 'NaN' | 'Infinity' | '-Infinity'

export interface ReportData {
  readonly version: string
  /** Unix seconds. */
  readonly made: number
  /** What the runs are below, or the run. */
  readonly root: string
  /** Drawn along this at first. */
  readonly axis: AxisName
  readonly runs: readonly RunData[]
  /** How deep files were looked into. */
  readonly verify: 'none' | 'quick' | 'deep'
  readonly warnings: readonly string[]
}

export type AxisName = 'step' | 'epoch' | 'time'

export interface RunData {
  /** Absolute. */
  readonly run: string
  /** Relative to the root. */
  readonly label: string
  readonly layouts: readonly string[]
  readonly size: number
  /** Numeric keys of the meta, what the run is judged by first. */
  readonly keys: readonly string[]
  readonly best: readonly BestData[]
  /** The newest first. */
  readonly checkpoints: readonly CheckpointData[]
  readonly curves: readonly CurveData[]
  readonly bytes: Readonly<Record<string, number>>
  readonly unread: readonly { readonly path: string; readonly reason: string }[]
  readonly hyperparameters: Readonly<Record<string, unknown>>
  readonly hyperparameterSources: Readonly<Record<string, string>>
  /** Null where no policy was asked. */
  readonly plan: PlanData | null
  readonly journal: JournalData
  readonly warnings: readonly string[]
}

export interface BestData {
  readonly metric: string
  readonly direction: 'min' | 'max'
  readonly name: string
  readonly value: PageNumber
}

/** A checkpoint as `list --json` gives it, but for its paths. */
export interface CheckpointData {
  readonly name: string
  readonly layout: string
  readonly time: number | null
  readonly step: number | null
  readonly epoch: number | null
  readonly meta: Readonly<Record<string, unknown>>
  readonly files: Readonly<Record<string, number | null>>
  readonly size: number | null
  readonly health: string
  readonly findings: readonly { readonly grade: string; readonly file?: string; readonly reason: string }[]
  readonly resumable: boolean
  readonly training?: number
  readonly marks: readonly string[]
  /** What the policy says; absent where none was asked. */
  readonly stays?: boolean
  readonly why?: readonly string[]
}

/** A curve as `plot --json` gives it, in columns. */
export interface CurveData {
  readonly key: string
  readonly axis: AxisName
  readonly logs: readonly string[]
  readonly x: readonly number[]
  readonly y: readonly PageNumber[]
  /** Checkpoints that have the value: their places in the run's list, and where they are drawn. */
  readonly marks: { readonly rows: readonly number[]; readonly x: readonly number[]; readonly y: readonly PageNumber[] }
  /** Place of the best checkpoint among `marks`. */
  readonly best: number | null
}

export interface PlanData {
  /** As it would be typed. */
  readonly policy: string
  /** The file that it stands in; null where it was typed. */
  readonly source: string | null
  /** Why there is none; null where there is one. */
  readonly failure: string | null
  readonly keep: number
  readonly remove: number
  readonly freedBytes: number
  readonly warnings: readonly string[]
}

/** As `log --json` gives it. */
export interface JournalData {
  readonly attempts: readonly {
    readonly attempt: number
    readonly started: number
    readonly reason: string
    readonly from: string | null
    readonly command: readonly string[]
    readonly host: string
    readonly checkpoints: readonly { readonly name: string }[]
    readonly end: {
      readonly time: number
      readonly ending: string
      readonly why: string
      readonly seconds: number
      readonly lost: number
    } | null
  }[]
  readonly removals: readonly {
    readonly what: string
    readonly time: number
    readonly name: string
    readonly reason: string
    readonly policy: string
    readonly by: { readonly command: string; readonly host: string; readonly pid: number }
  }[]
  readonly unreadable: number
}
