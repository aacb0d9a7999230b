/** What may be relied upon on file systems of Linux's own: that permissions alone tell who may read, and folders' times what is new. */
import * as fs from 'node:fs'

/**
 * Linux's own (statfs(2), `f_type`): ext4, XFS, Btrfs, tmpfs, F2FS. A server, a cluster or a program behind FUSE may refuse
 * what the permissions allow, and so may what lies below an overlay.
 */
const ownFileSystems = new Set([0xef53n, 0x58465342n, 0x9123683en, 0x01021994n, 0xf2f52010n])

/** Files of those that judge by labels beside the permissions: SELinux, Smack. */
const judgesOfLabels = ['/sys/fs/selinux/enforce', '/sys/fs/smackfs/load2']

/** False where that is not known. Links are followed. */
export function permissionsDecideAt(path: string): boolean {
  return isOwnFileSystemAt(path) && !judgesOfLabels.some((file) => fs.existsSync(file))
}

/** Likewise: a server may tell a folder's times late, and a program behind FUSE make them up. */
export function foldersTellChangesAt(path: string): boolean {
  return isOwnFileSystemAt(path)
}

function isOwnFileSystemAt(path: string): boolean {
  try {
    return ownFileSystems.has(fs.statfsSync(path, { bigint: true }).type)
  } catch {
    return false
  }
}
