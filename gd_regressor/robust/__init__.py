"""The least F under Huber's loss: Newton's steps from piece to piece. It knows no plan."""
