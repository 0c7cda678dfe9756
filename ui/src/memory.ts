// What this browser remembers of how somebody likes to look: theme, columns, widths. Never of what was looked at.

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`vestigo.${name}`);
  } catch {
    return null; // storage is off, or full
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`vestigo.${name}`, value);
  } catch {
    // then it is forgotten
  }
}
