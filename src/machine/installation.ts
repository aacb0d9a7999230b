/** How this ckpt came here, and what it keeps in the user's cache. */
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { isAbsolute, join, sep } from 'node:path'
import { home as userHome } from './home.js'
import { ownProgram } from './own-program.js'
import { isPrivateFolder } from './private-folder.js'

export interface Installed {
  readonly how: 'executable' | 'pip' | 'npm' | 'checkout'
  readonly path: string
}

/** `root` is where bin/run.js lies, or the executable. */
export function installedAs(root: string): Installed {
  const [program = '', script] = ownProgram()
  if (script !== undefined) {
    const how = root.split(sep).includes('node_modules') ? 'npm' : 'checkout'
    return { how: how === 'checkout' && !existsSync(join(root, 'src')) ? 'npm' : how, path: root }
  }
  return { how: existsSync(join(root, 'hf-ckpt')) ? 'pip' : 'executable', path: program }
}

/** Files that shells read at their start, below the home folder; the last is one that is about ckpt alone. */
const startFiles: Readonly<Record<'bash' | 'zsh' | 'fish', readonly string[]>> = {
  bash: ['.bashrc', '.bash_profile', '.profile', '.local/share/bash-completion/completions/ckpt'],
  zsh: ['.zshrc', '.zprofile', '.zfunc/_ckpt'],
  fish: ['.config/fish/config.fish', '.config/fish/completions/ckpt.fish'],
}

/** The user's file that sets completion up: it has the script itself or the line that asks for it. Null for none. */
export function completionFile(shell: keyof typeof startFiles): string | null {
  const home = (shell === 'zsh' ? process.env['ZDOTDIR'] : undefined) ?? userHome()
  const paths = startFiles[shell].map((name) => join(home, name))
  return paths.find((path) => setsUp.test(startOf(path))) ?? null
}

/** In no comment; the scripts of ckpt call `__complete`. */
const setsUp = /^[^#\n]*(?:ckpt completion|__complete (?:bash|zsh|fish))/m
/** Bytes. */
const mostOfStartFile = 1e6

/** The text of a plain file of a bearable size, else none. */
function startOf(path: string): string {
  try {
    const stats = statSync(path)
    return stats.isFile() && stats.size <= mostOfStartFile ? readFileSync(path, 'utf8') : ''
  } catch {
    return ''
  }
}

export interface Cache {
  /** Absolute; null where there is no place for one. */
  readonly folder: string | null
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

/** Compiled code, as bin/run.js keeps it: at most `mostCached` bytes. None where others could have put it there. */
export function codeCache(): Cache {
  return cacheIn(cacheHome(), (name) => name.startsWith('code-'))
}

/** Where ckpt keeps what it can make again (XDG Base Directory Specification): absolute; null where there is no place. */
export function cacheHome(): string | null {
  const set = process.env['XDG_CACHE_HOME'] ?? ''
  const home = set === '' ? join(userHome(), '.cache') : set
  return isAbsolute(home) ? join(home, 'ckpt') : null
}

/** Those files of a folder that are ckpt's by their names; none where others could have put them there. */
export function cacheIn(folder: string | null, isOurs: (name: string) => boolean): Cache {
  if (folder === null || !isPrivateFolder(folder)) return { folder, files: [] }
  try {
    // Another ckpt may drop the oldest at any moment.
    const files = readdirSync(folder)
      .filter(isOurs)
      .flatMap((name) => {
        const path = join(folder, name)
        const stats = lstatSync(path, { throwIfNoEntry: false })
        return stats === undefined || stats.isDirectory() ? [] : [{ path, size: stats.size }]
      })
    return { folder, files }
  } catch {
    return { folder, files: [] }
  }
}

/** Bytes; the same in bin/run.js. */
export const mostCached = 12e6

export function clearCache({ files }: Cache): void {
  for (const { path } of files) rmSync(path, { force: true })
}
