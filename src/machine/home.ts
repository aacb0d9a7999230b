/** The user's home folder: what HOME says, else what the system knows. */
import { homedir } from 'node:os'

/** As Node's `homedir`, whose module takes longer to load than a short command needs to look. */
export function home(): string {
  return process.env['HOME'] ?? homedir()
}
