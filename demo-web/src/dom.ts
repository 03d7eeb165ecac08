/** The element with this id, which the page's own HTML has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as T;
}

/** Fills a description list. */
export function list(target: HTMLElement, entries: [term: string, description: string][]): void {
  const rows = entries.map(([term, description]) => {
    const row = document.createElement('div');
    const name = document.createElement('dt');
    const value = document.createElement('dd');
    name.textContent = term;
    value.textContent = description;
    row.append(name, value);
    return row;
  });
  target.replaceChildren(...rows);
}
