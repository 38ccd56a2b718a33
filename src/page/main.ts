import { element, nameElement } from './element.ts';
import { overviewSection, versionsSection } from './overview-section.ts';
import { readPageData, type PageData } from './page-data.ts';
import { sizesSection, slowestSection } from './ranking-section.ts';
import { runsSection } from './runs-section.ts';
import { tenantsSection } from './tenants-section.ts';
import { timeInWords } from './words.ts';

/** Fills the page with the facts that it was written with. */
function show(data: PageData): void {
  const { database, readAt, status, tenants } = data;
  document.title = `${database.name}: fleet report of ${timeInWords(readAt)} UTC`;
  document.body.replaceChildren(
    element('a', { class: 'skip', href: '#main' }, 'Skip to the report'),
    element(
      'header',
      {},
      element('h1', {}, 'Fleet report: ', nameElement(database.name)),
      element(
        'p',
        { class: 'note' },
        element('time', { datetime: readAt }, `${timeInWords(readAt)} UTC`),
        `, PostgreSQL ${database.serverVersion}`,
      ),
      navigation(),
    ),
    element(
      'main',
      { id: 'main', tabindex: -1 },
      overviewSection(status),
      versionsSection(status),
      tenantsSection(tenants),
      runsSection(data),
      element('div', { class: 'columns' }, slowestSection(data), sizesSection(data)),
    ),
  );
}

function navigation(): HTMLElement {
  const parts = {
    versions: 'Versions',
    tenants: 'Tenants',
    runs: 'Runs',
    slowest: 'Slowest tenants',
    sizes: 'Sizes',
  };
  const links = Object.entries(parts).map(([id, title]) =>
    element('li', {}, element('a', { href: `#${id}` }, title)),
  );
  return element('nav', { 'aria-label': 'Sections' }, element('ul', {}, links));
}

show(readPageData());
