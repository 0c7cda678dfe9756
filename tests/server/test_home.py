"""The page at `/`."""

from served import served


def test_the_page_says_where_things_are_and_needs_no_account(tmp_path):
    """Links to the questions and figures, with the path prefix, and nothing that the CSP would stop."""
    with served("memory", tmp_path, root_path="/vestigo") as (_, client):
        del client.headers["authorization"]
        page = client.get("/")
    assert page.status_code == 200
    assert 'href="/vestigo/docs"' in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
