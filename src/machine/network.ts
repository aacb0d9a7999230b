/** The network of this machine, as core asks for it (core/pretrain/download/network.ts), and what the environment says of hubs. */
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { wait } from './clock.js'
import { patientFetch } from './patient-fetch.js'
import type { Network } from '../core/pretrain/download/index.js'
import { CkptError } from '../core/errors.js'
import type { HubSettings } from '../core/pretrain/sources/index.js'

export const network: Network = { fetch: patientFetch, wait }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * As Hugging Face's own tools read it: HF_ENDPOINT, HF_TOKEN, else the file that `hf auth login` writes, which
 * HF_TOKEN_PATH, HF_HOME or XDG_CACHE_HOME move (huggingface_hub/constants.py). Throws CkptError `usage`.
 */
export function hubSettings(environment: Environment): HubSettings {
  const endpoint = environment['HF_ENDPOINT']?.trim().replace(/\/+$/, '') ?? ''
  if (endpoint !== '' && !URL.canParse(endpoint)) {
    throw new CkptError('usage', `HF_ENDPOINT is ${endpoint}, which is not a web address`)
  }
  const token = readToken(environment)
  // Else the error that tells of a bad header would show it.
  if (!/^[\x21-\x7e]*$/.test(token))
    throw new CkptError('usage', 'the token for the hub has characters that no token has')
  return { endpoint: endpoint === '' ? null : endpoint, token: token === '' ? null : token }
}

function readToken(environment: Environment): string {
  const given = environment['HF_TOKEN'] ?? environment['HUGGING_FACE_HUB_TOKEN']
  if (given !== undefined && given.trim() !== '') return given.trim()
  const cache = environment['XDG_CACHE_HOME'] ?? join(environment['HOME'] ?? homedir(), '.cache')
  const home = environment['HF_HOME'] ?? join(cache, 'huggingface')
  try {
    const path = environment['HF_TOKEN_PATH'] ?? join(home, 'token')
    return statSync(path).isFile() ? readFileSync(path, 'utf8').trim() : ''
  } catch {
    // Nobody has logged in.
    return ''
  }
}
