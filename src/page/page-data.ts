import type { DocumentBase } from '../core/documents/document.ts';
import type { ReportDocument } from '../core/documents/report-document.ts';

export type PageData = DocumentBase & ReportDocument;

/** The JSON document that the page was written with. */
export function readPageData(): PageData {
  return JSON.parse(document.getElementById('report')?.textContent ?? '') as PageData;
}
