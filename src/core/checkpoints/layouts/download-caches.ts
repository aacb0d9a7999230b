/**
 * Folders in which hubs keep what they have downloaded: models of others, which no job here saved, and which go or stay
 * by the hub's own means. Who names such a folder itself is shown what is in it.
 */
import { basename, dirname } from 'node:path'
import type { Folder } from './layout.js'

export function isDownloadCache(folder: Folder): boolean {
  return isHuggingFaceCache(folder) || isTorchHubCache(folder) || isWhisperCache(folder)
}

/** `models--<owner>--<name>/` with `snapshots/` of links into `blobs/` (huggingface_hub, file_download.py). */
function isHuggingFaceCache({ path, entries }: Folder): boolean {
  if (!/^(?:models|datasets|spaces)--/.test(basename(path))) return false
  const folders = new Set(entries.filter(({ kind }) => kind === 'directory').map(({ name }) => name))
  return folders.has('snapshots') && (folders.has('blobs') || folders.has('refs'))
}

/**
 * `hub/checkpoints/` of TORCH_HOME, which is `torch/` in the user's cache (torch/hub.py, `load_state_dict_from_url`).
 * Under another TORCH_HOME the names of its files tell: they end with a part of their hash, `resnet18-5c106cde.pth`.
 */
function isTorchHubCache({ path, entries }: Folder): boolean {
  const hub = dirname(path)
  if (basename(path) !== 'checkpoints' || basename(hub) !== 'hub') return false
  const files = entries.filter(({ kind }) => kind !== 'directory')
  const areHashed = files.length > 0 && files.every(({ name }) => /-[0-9a-f]{8,}\.\w+$/.test(name))
  return areHashed || /torch|cache/i.test(basename(dirname(hub)))
}

/** `whisper/` in the user's cache, with models by the names that OpenAI gave them (whisper/__init__.py, `_MODELS`). */
function isWhisperCache({ path, entries }: Folder): boolean {
  if (basename(path) !== 'whisper') return false
  return entries.length > 0 && entries.every(({ name }) => whisperModel.test(name))
}

const whisperModel = /^(?:(?:tiny|base|small|medium)(?:\.en)?|large(?:-v\d)?(?:-turbo)?|turbo)\.pt$/
