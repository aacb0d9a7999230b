/** From a run to a folder that an inference server loads: docs/design.md §7. */
export { chooseToExport, type Chosen, type WhichRequest } from './choose.js'
export { planExport, type ExportItem, type ExportPlan, type ExportRequest } from './plan.js'
export {
  openExport,
  writeExport,
  type OpenExport,
  type OpenOptions,
  type WriteExportOptions,
  type WrittenExport,
  type WrittenFile,
} from './carry-out.js'
