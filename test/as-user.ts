/** Tests of what the system refuses: the superuser is refused nothing, so what runs here runs as nobody. */

const nobody = 65_534

/** Runs `work` as a user without rights, whoever runs the tests. */
export async function asUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work()
  process.setegid?.(nobody)
  process.seteuid?.(nobody)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
}
