/** The report's data, as the page holds them. */
import type { ReportData } from '../report/data.js'

/** ckpt itself has written it (src/render/report/document.ts). */
export function readData(text: string): ReportData {
  return JSON.parse(text) as ReportData
}
