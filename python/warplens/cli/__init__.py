"""The command `warplens`, in the extra `cli`; `warplens_command` starts it."""
