// Coming in: by password, by an OpenID Connect issuer, or by the link that `vestigo link` prints.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { isApiError, type ApiError } from "../../api/client";
import { logIn, me } from "../../api/session";
import { go, place, root } from "../../url";
import { CodeBox, Failure } from "../../widgets/parts";

const focusOnce = (element: HTMLInputElement | null): void => element?.focus();

export function Login(): VNode {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<ApiError | undefined>();
  const [busy, setBusy] = useState(false);
  const back = location.pathname + location.search;
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await logIn(user, password);
      if (place.value.view === "login") go(root, "replace");
    } catch (failure) {
      setError(isApiError(failure) ? failure : { status: 0, code: "failed", message: String(failure) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="main login">
      <div class="notice">
        <h1>Vestigo</h1>
        <p class="muted">What your LLM application did, what it cost and what failed.</p>
        {error && <Failure error={error} />}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <label class="field">
            <span>user</span>
            <input
              class="input"
              name="user"
              ref={focusOnce}
              autocomplete="username"
              required
              value={user}
              onInput={(event) => setUser(event.currentTarget.value)}
            />
          </label>
          <label class="field">
            <span>password</span>
            <input
              class="input"
              name="password"
              type="password"
              autocomplete="current-password"
              required
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="button first" disabled={busy}>
            Log in
          </button>
        </form>
        {me.value?.oidc && (
          <a
            class="button"
            href={`${root}auth/oidc/start?next=${encodeURIComponent(back)}`}
            rel="external"
            target="_self"
          >
            Log in with your organisation’s account
          </a>
        )}
        <h2>No account yet?</h2>
        <p class="muted">On the machine where the server runs, this prints a link that logs you in once:</p>
        <CodeBox text="vestigo link" />
        <p class="muted">Or add an account for somebody:</p>
        <CodeBox text="vestigo user add ann@example.org --roles shop:member" />
      </div>
    </main>
  );
}
