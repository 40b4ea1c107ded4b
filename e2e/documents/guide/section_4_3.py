# AgentCore Implementation Guide, part 2, section 4.3, as printed.

import time
import requests

def wait_for_oidc_endpoint(
    discovery_url: str,
    max_wait: int = 600,
    interval: int = 30
) -> bool:
    """
    Wait until the OIDC Discovery URL becomes available.

    DNS propagation can take 5 minutes or more.
    A max_wait of 600 seconds (10 minutes) is recommended.
    """
    start_time = time.time()
    attempt = 1

    while time.time() - start_time < max_wait:
        try:
            response = requests.get(discovery_url, timeout=10)
            if response.status_code == 200:
                data = response.json()
                if 'issuer' in data:
                    elapsed = time.time() - start_time
                    print(f"OIDC endpoint available ({elapsed:.1f}s)")
                    return True
        except requests.exceptions.RequestException:
            pass

        remaining = max_wait - (time.time() - start_time)
        print(f"Waiting... ({remaining:.0f}s remaining, attempt {attempt})")
        time.sleep(interval)
        attempt += 1

    return False
