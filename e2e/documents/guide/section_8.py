# AgentCore Implementation Guide, part 2, section 8, as printed.

from pathlib import Path
import json

CONFIG_FILE = Path("setup_config.json")

def save_config(updates: dict):
    config = json.loads(CONFIG_FILE.read_text()) if CONFIG_FILE.exists() else {}
    config.update(updates)
    CONFIG_FILE.write_text(json.dumps(config, indent=2))

def setup():
    config = json.loads(CONFIG_FILE.read_text()) if CONFIG_FILE.exists() else {}

    if "cognito" not in config:
        save_config({"cognito": create_cognito()})
    if "provider" not in config:
        config = json.loads(CONFIG_FILE.read_text())
        save_config({"provider": create_provider(config["cognito"])})
    if "gateway" not in config:
        config = json.loads(CONFIG_FILE.read_text())
        save_config({"gateway": create_gateway(config["cognito"])})
    # ... continue the same pattern for subsequent steps
