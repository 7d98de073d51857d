"""What the layers must refuse, and what is odd and must be taken: tables written from the contract.

`constructor` holds wrong arguments, `calls` wrong inputs, `accepted` and `signatures` what must
work. They are data; `verdicts` is what tries them. `python -m tests.wrong_inputs OUT.json` writes
down what this process's backend says of each, so that backends can be compared.
"""
