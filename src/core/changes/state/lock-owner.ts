/** Which ckpt holds a lock, and whether it still lives. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../formats/text/json.js'
import { isPid, isText } from './schema.js'

/** A process, so that another one can tell whether it is still there. */
export interface Owner {
  readonly host: string
  readonly pid: number
  /** When the process started, in a unit of the system's own; null where that is unknown. */
  readonly started: string | null
  /** The id of the system's last boot; null where that is unknown. */
  readonly boot: string | null
  /** The namespace that the pid counts in (two containers on one machine have two); null where it is unknown. */
  readonly namespace: string | null
  /** As typed, `ckpt prune`. */
  readonly command: string
}

/** What core knows about the other processes of the machine. */
export interface Processes {
  readonly self: Owner
  /** When the process with that pid started, in the unit of `Owner.started`; null when there is none. */
  readonly startOf: (pid: number) => string | null
  /** Whether that process is the user's own and was started as a job of ckpt. */
  readonly isOwnJob: (pid: number) => boolean
}

/** What is known of an owner: `unknown` where only its heartbeat can tell. */
export type Life = 'alive' | 'dead' | 'unknown'

/**
 * A pid says something only on the same machine, since the same boot, in the same namespace; and then only together
 * with the process's start, for pids are used again.
 */
export function lifeOf(owner: Owner, { self, startOf }: Processes): Life {
  const comparable =
    owner.boot !== null &&
    owner.namespace !== null &&
    owner.started !== null &&
    owner.host === self.host &&
    owner.boot === self.boot &&
    owner.namespace === self.namespace
  if (!comparable) return 'unknown'
  return startOf(owner.pid) === owner.started ? 'alive' : 'dead'
}

export function describeOwner({ command, pid, host }: Owner): string {
  return `${command} (process ${pid} on ${host})`
}

/** Null when the record is not an owner's. */
export function toOwner(record: JsonObject): Owner | null {
  const owner = record.get('owner')
  if (!isJsonObject(owner)) return null
  const [host, pid, command] = ['host', 'pid', 'command'].map((key) => owner.get(key))
  if (!isText(host) || !isPid(pid) || !isText(command)) return null
  const text = (key: string) => textOrNull(owner.get(key))
  return { host, pid, command, started: text('started'), boot: text('boot'), namespace: text('namespace') }
}

function textOrNull(value: JsonValue | undefined): string | null {
  return isText(value) ? value : null
}
