;; variant: the name "a-" is not in kebab case
(component (type (variant (case "a-"))))
