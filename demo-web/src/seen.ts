// What of a page comes into view.

/** Says once of each element that it is seen: the first time that half of it is on the screen. */
export function whenSeen(elements: HTMLElement[], seen: (element: HTMLElement) => void): void {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        observer.unobserve(target);
        seen(target as HTMLElement);
      }
    },
    { threshold: 0.5 },
  );
  for (const element of elements) observer.observe(element);
}

/** Those of a shelf's cards that are not scrolled out of it. */
export function inView(shelf: HTMLElement): number[] {
  const { left, right } = shelf.getBoundingClientRect();
  return [...shelf.children].flatMap((card, place) => {
    const box = card.getBoundingClientRect();
    return box.left < right && box.right > left ? [place] : [];
  });
}
