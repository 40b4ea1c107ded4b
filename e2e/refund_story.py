"""The toolkit's own story of a gateway and its policies (`tests_integ/policy/test_policy_gateway_integration.py`), imported
as it is and told in its own order, without the parts that need what is not there yet: generation, and keys of KMS."""

import importlib.util
import sys


def main():
    spec = importlib.util.spec_from_file_location("story", sys.argv[1])
    story = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(story)
    clients = story.initialize_clients(story.REGION)
    config = story.setup_infrastructure(clients)
    access_token = clients["gateway"].get_access_token_for_cognito(config["client_info"])
    story.test_direct_http(config, access_token)
    story.test_agent(config, access_token)
    story.cleanup(config, clients)


if __name__ == "__main__":
    main()
