/** The mount that a path lies on, as Linux lists them. */
import * as fs from 'node:fs'

export interface Mount {
  /** `ext4`, `nfs`, … */
  readonly kind: string
  /** Those of the mount, not of the file system below it: `rw`, `relatime`, … */
  readonly options: ReadonlySet<string>
}

/** The nearest above the path, which must be there (proc(5), mountinfo); null where the system does not say. */
export function mountOf(path: string): Mount | null {
  try {
    const real = fs.realpathSync(path)
    let best = { point: '', kind: '', options: '' }
    for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      const [before = '', after = ''] = line.split(' - ')
      const fields = before.split(' ')
      const point = (fields[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      )
      const isAbove = point !== '' && (real === point || real.startsWith(point === '/' ? '/' : `${point}/`))
      if (!isAbove || point.length < best.point.length) continue
      best = { point, kind: after.split(' ')[0] ?? '', options: fields[5] ?? '' }
    }
    return best.kind === '' ? null : { kind: best.kind, options: new Set(best.options.split(',')) }
  } catch {
    return null
  }
}
