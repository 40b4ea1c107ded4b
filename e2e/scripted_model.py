"""A model for Strands agents that runs here: it calls one tool, and then repeats what the tool said."""

import json

from strands.models.model import Model


class ScriptedModel(Model):
    """Calls the tool whose name ends in `tool`, with these arguments, and ends its turn with the tool's answer."""

    tool = ""
    arguments: dict = {}

    @classmethod
    def that_calls(cls, tool: str, **arguments):
        return type("ScriptedModel", (cls,), {"tool": tool, "arguments": arguments})

    def update_config(self, **model_config):
        pass

    def get_config(self):
        return {}

    async def structured_output(self, output_model, prompt, system_prompt=None, **_):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, system_prompt=None, **_):
        results = [content["toolResult"] for content in messages[-1]["content"] if "toolResult" in content]
        if results:
            said = " ".join(part.get("text", "") for part in results[0]["content"])
            delta = {"text": f"{results[0]['status']}: {said}"}
            start, reason = {}, "end_turn"
        else:
            [name] = [spec["name"] for spec in tool_specs if spec["name"].endswith(self.tool)]
            start, reason = {"toolUse": {"name": name, "toolUseId": "call-1"}}, "tool_use"
            delta = {"toolUse": {"input": json.dumps(self.arguments)}}
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": start}}
        yield {"contentBlockDelta": {"delta": delta}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": reason}}
